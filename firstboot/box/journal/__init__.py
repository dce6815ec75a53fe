"""What happened on the box, kept on /data: a chain of entries that the box signs."""
