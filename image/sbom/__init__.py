"""The bill of materials of an image (SBOM): what it was made of, as CycloneDX."""
