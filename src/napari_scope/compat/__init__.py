"""Names of other programs over our own, so that their scripts run here."""
