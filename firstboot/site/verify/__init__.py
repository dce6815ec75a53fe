"""What rendered files mean, judged against the site: one reader and one table for each daemon."""
