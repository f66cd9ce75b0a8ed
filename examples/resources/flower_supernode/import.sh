terraform import flower_supernode.hospital_a hospital-a
