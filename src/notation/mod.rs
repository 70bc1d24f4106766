//! CommuniGate data notation: parsing and printing, each other's inverse
//! (the implementation belongs to the directory writer).
