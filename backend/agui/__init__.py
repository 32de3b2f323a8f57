"""The chat as AG-UI events: https://docs.ag-ui.com."""
