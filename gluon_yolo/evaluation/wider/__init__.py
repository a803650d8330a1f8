"""WIDER FACE's evaluation: Easy, Medium and Hard, as the official tools compute them."""
