# The SuperLink's control URL, # and the run's number.
terraform import flower_app_run.training 'https://127.0.0.1:9093#1234567890'
