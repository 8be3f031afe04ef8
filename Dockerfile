# ddrscope on the CPU:  docker build -t ddrscope .  &&  docker run --rm -v "$PWD":/work ddrscope identify photo.jpg
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt ./
# PyPI's PyTorch for x86-64 brings CUDA along; --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu is smaller by gigabytes.
ARG TORCH_INDEX=https://pypi.org/simple
RUN python -m venv /opt/ddrscope \
    && /opt/ddrscope/bin/pip install --index-url "$TORCH_INDEX" --constraint constraints.txt torch torchvision
# The commit that --version tells: docker build --build-arg COMMIT="$(git describe --always --dirty)" .
ARG COMMIT=""
COPY pyproject.toml setup.py README.md LICENSE ./
COPY src src
RUN if [ -n "$COMMIT" ]; then echo "$COMMIT" > src/ddrscope/commit.txt; fi \
    && /opt/ddrscope/bin/pip install --constraint constraints.txt '.[pretrained,hub]'

FROM python:3.11-slim-bookworm
COPY --from=build /opt/ddrscope /opt/ddrscope
ENV PATH=/opt/ddrscope/bin:$PATH
RUN useradd --create-home --uid 1000 ddrscope
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["ddrscope"]
CMD ["--help"]
