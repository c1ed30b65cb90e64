"""What outlives the process, where a folder for it was given."""
