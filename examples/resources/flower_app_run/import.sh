# The SuperLink's id or control URL, # and the run's number.
terraform import flower_app_run.training 'https://127.0.0.1:20001#1234567890'

# For a SuperLink that this provider configuration did not make: # and the file of its CA certificate
# and, where it has accounts, # and the file of the token. A part that is not needed is left empty.
terraform import flower_app_run.training 'https://superlink.example.org:8000#1234567890#ca.pem#token'
