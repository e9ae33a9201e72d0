"""The attention viewer. Read in this order:

`viewer` (the object of a notebook cell), `state` (what it can be told to show), `reading` (maps, scales and sentences
at one spot), `payload` (the numbers that its page is sent), `live` (the widget of a running notebook). The page itself
is attention_viewer.js, with attention_numbers.js (the same maps and sentences) and attention_drawing.js.
"""
