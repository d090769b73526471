"""Vocoders with published weights: BigVGAN and Vocos, from local files or the Hugging Face hub."""
