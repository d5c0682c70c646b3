// ldns without what it does to C++: it makes macros of bool, true and false.
#pragma once

#include <ldns/ldns.h>
#undef bool
#undef true
#undef false
