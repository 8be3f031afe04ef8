"""The architectures that this package defines, one file each; `ddrscope.networks.registry` lists them."""
