"""Results as typed data: frozen dataclasses that know their JSON and Parquet form. Figures and pages are in `ddrscope.viz`."""
