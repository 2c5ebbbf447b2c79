"""Read models: typed answers to what people ask of a hub. Commands and pages draw them."""
