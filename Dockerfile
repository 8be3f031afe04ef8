# ddrscope on the CPU:  docker build -t ddrscope .  &&  docker run --rm -v "$PWD":/work ddrscope identify photo.jpg
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt ./
# On x86-64, PyPI's PyTorch includes CUDA, 4.3 GB; without it: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_INDEX=https://pypi.org/simple
RUN python -m venv /opt/ddrscope \
    && /opt/ddrscope/bin/pip install --index-url "$TORCH_INDEX" --constraint constraints.txt torch torchvision
# The version, which git is not there to tell: --build-arg VERSION="$(.venv/bin/python -m setuptools_scm)"
ARG VERSION=""
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN export ${VERSION:+SETUPTOOLS_SCM_PRETEND_VERSION_FOR_DDRSCOPE="$VERSION"} \
    && /opt/ddrscope/bin/pip install --constraint constraints.txt '.[pretrained,hub]'

FROM python:3.11-slim-bookworm
COPY --from=build /opt/ddrscope /opt/ddrscope
ENV PATH=/opt/ddrscope/bin:$PATH
RUN useradd --create-home --uid 1000 ddrscope
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["ddrscope"]
CMD ["--help"]
