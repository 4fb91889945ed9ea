"""`/openapi.json`: the API described for programs, out of the table of routes and the types that check requests.

`routes.py` of this package says what each route is for and answers; `messages.py` what answers look like; `models.py`
turns the request's types into schemas; `document.py` puts them together. A test walks the table of routes.
"""
