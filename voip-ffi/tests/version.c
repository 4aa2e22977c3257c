/* Prints the version, if header and library agree on it. */
#include <stdio.h>
#include <string.h>

#include "voip.h"

int main(void)
{
    char numbers[32];
    snprintf(numbers, sizeof numbers, "%d.%d.%d", VOIP_VERSION_MAJOR, VOIP_VERSION_MINOR,
             VOIP_VERSION_PATCH);
    if (strcmp(VOIP_VERSION, voip_version()) != 0 || strcmp(VOIP_VERSION, numbers) != 0) {
        return 1;
    }
    return puts(voip_version()) < 0;
}
