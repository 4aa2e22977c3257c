/* A program outside the tree: it finds header and library, and both work. */
#include <stdio.h>
#include <string.h>
#include <voip.h>

int main(void)
{
    char address[VOIP_ADDRESS_SIZE];
    voip_tracker_builder *described = NULL;
    voip_tracker *tracker = NULL;
    voip_node_builder *builder = NULL;
    voip_node *node = NULL;
    if (strcmp(voip_version(), VOIP_VERSION) != 0 ||
        voip_tracker_builder_new(&described) || voip_tracker_builder_bind(described, "127.0.0.1:0") ||
        voip_tracker_builder_start(described, &tracker) ||
        voip_tracker_address(tracker, address, sizeof address) ||
        voip_node_builder_new("alice", &builder) || voip_node_builder_tracker(builder, address) ||
        voip_node_builder_start(builder, &node) || voip_node_wait_registered(node, 5000)) {
        fprintf(stderr, "%s\n", voip_last_error());
        return 1;
    }
    voip_node_free(node);
    voip_node_builder_free(builder);
    voip_tracker_free(tracker);
    voip_tracker_builder_free(described);
    printf("voip %s is registered\n", voip_version());
    return 0;
}
