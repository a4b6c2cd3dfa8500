"""DataSynthesizer, correlated attribute mode (PrivBayes), epsilon 1: rows.csv made.csv count."""

import csv
import sys

from DataSynthesizer.DataDescriber import DataDescriber
from DataSynthesizer.DataGenerator import DataGenerator

rows, made, count = sys.argv[1:4]
with open(rows, newline="", encoding="utf-8") as file:
    reader = csv.DictReader(file)
    first = next(reader)
texts = {name: True for name, cell in first.items() if not cell.lstrip("-").isdigit()}

describer = DataDescriber()
describer.describe_dataset_in_correlated_attribute_mode(rows, k=2, epsilon=1.0, attribute_to_is_categorical=texts)
describer.save_dataset_description_to_file(f"{made}.json")
generator = DataGenerator()
generator.generate_dataset_in_correlated_attribute_mode(int(count), f"{made}.json")
generator.save_synthetic_data(made)
