"""Files: atomic writes, bounded reads, locks, run directories, manifests, paths."""
