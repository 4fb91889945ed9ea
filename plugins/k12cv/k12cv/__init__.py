"""Image classification as a k12ai_ws service.

`k12cv.driver` is what the server loads; `k12cv.trainer` is the program that a job runs. The two meet on a command
line and in the output folder only, so this module imports neither.
"""
