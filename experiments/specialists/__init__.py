"""Does SRGA rank networks by the degradations that they were trained on?"""
