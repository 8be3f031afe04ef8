"""Files written atomically, locks, run directories, paths."""
