"""Backup and restore: the archive, its encryption, a spare box made of one."""
