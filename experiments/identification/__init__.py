"""Which features identify distortions, how well, and on whose images?"""
