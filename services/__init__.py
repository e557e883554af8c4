"""The five services of STAR and the runtime they share; they meet only in contracts and on the bus."""
