"""An isolated site: it believes nobody's word, keeps what it verified, and says what it did."""
