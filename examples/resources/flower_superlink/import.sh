terraform import flower_superlink.main main
