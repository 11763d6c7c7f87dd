"""What serving is made of: layouts, demands, the two phases, batches of requests, pools of replicas."""
