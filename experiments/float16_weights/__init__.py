"""Does storing weights in float16 change a measure?"""
