"""What lies behind a bound: cuts, lengths, linear programs, concurrent flow, and the trees that attain it."""
