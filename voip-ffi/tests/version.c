/* Prints the version of the library. */
#include <stdio.h>

#include "voip.h"

int main(void)
{
    return puts(voip_version()) < 0;
}
