"""The doors through which a visitor comes. Each turns what it gets into an Incoming and what is said into its own form."""
