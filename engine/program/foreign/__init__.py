"""What others call our stages: TransformerLens's hooks and Hugging Face's modules."""
