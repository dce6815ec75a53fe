"""What a kernel knows by name, and whether the overlays name nothing else."""
