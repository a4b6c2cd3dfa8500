"""Models of images that need no gradients."""

from sfumato.models.images.class_gaussian import ClassGaussian as ClassGaussian
