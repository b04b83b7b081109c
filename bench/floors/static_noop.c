/* The least that a child can do; linked statically, so that it costs no more than its exec. */
int main(void)
{
    return 0;
}
