# The SuperLink's id or control URL, then # and the run ID.
terraform import flower_app_run.training 'https://127.0.0.1:20001#1234567890'

# For a SuperLink that this provider configuration does not manage: add # and the file of its CA
# certificate and, if it has accounts, # and the file with the token. Leave unneeded parts empty.
terraform import flower_app_run.training 'https://superlink.example.org:8000#1234567890#ca.pem#token'
