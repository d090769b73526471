"""Signal processing that several stages share: covariance, fades, limiter, linear prediction."""
