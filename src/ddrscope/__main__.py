"""`python -m ddrscope`, which launchers of several processes need."""

from ddrscope.cli import main

if __name__ == "__main__":
    main()
