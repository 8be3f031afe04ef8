"""Figures and self-contained HTML pages, drawn from the types of `ddrscope.results`. Import the modules of this package."""
