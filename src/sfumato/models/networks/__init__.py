"""What GAN, VAE and diffusion share: rows as network inputs and outputs, warm starts, training, saving."""
