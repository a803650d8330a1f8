"""What must hold for days: kills, full disks, damaged files, memory, load. ``make endurance``."""
