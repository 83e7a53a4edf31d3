"""What people read of a run: terminal tables and progress, the one-file HTML report, the column reference."""
