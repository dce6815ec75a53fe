"""What every other room stands on: refusals, documents, values, durable files, release identity."""
