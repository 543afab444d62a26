"""The application: what turns keys and command lines into orders and pictures. Nothing heavy until it runs."""
