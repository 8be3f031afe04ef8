"""Which plain networks show deep degradation representations most strongly?"""
