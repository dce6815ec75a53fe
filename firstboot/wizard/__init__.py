"""The conversation that fills in a site: questions, answers, and at the end a site or nothing."""
