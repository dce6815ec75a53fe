"""What is published about a site, held against the site: each difference and what it does."""
