"""What every typed result shares: its plain JSON form, and a small table for notebooks."""
