"""Padding, cropping and resizing of images."""
