/* duplex, the program.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"

int main(int argc, char **argv)
{
    return dx_cli_main(argc, argv);
}
